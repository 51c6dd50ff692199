# Tandem's image for all commands: `docker run tandem command_service serve`, `projector run`, ….
# The processes are configured by settings only; deploy/README.md lists them.
ARG BASE_IMAGE=python:3.13-slim-trixie

FROM ${BASE_IMAGE} AS build
WORKDIR /build
# pip has a separate virtual environment, so that the image does not contain it.
RUN python3 -m venv pip && python3 -m venv --without-pip /opt/tandem
COPY requirements.txt .
RUN pip/bin/python -m pip --python /opt/tandem/bin/python install \
      --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
      --requirement requirements.txt
COPY shared /app/shared
COPY command_service /app/command_service
COPY projector /app/projector
COPY query_service /app/query_service
# Readable by any user, independent of the clone's umask. Bytecode is compiled now, because the root
# file system is read-only at run time.
RUN chmod -R a+rX /app && /opt/tandem/bin/python -m compileall -q /app

FROM ${BASE_IMAGE}
# Parts of the base image that only builds need.
RUN rm -rf /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/lib/python3.*/site-packages/pip* \
      /usr/local/lib/python3.*/ensurepip
COPY --from=build /opt/tandem /opt/tandem
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/tandem/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    HOST=0.0.0.0 \
    PORT=8080 \
    OPERATIONS_PORT=9090 \
    LOG_FORMAT=json
EXPOSE 8080 9090
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "shared.http.check_health"]
ENTRYPOINT ["python", "-m"]
# Last, because they change with every commit.
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="tandem" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
