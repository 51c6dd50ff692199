# The one image of Tandem: `docker run tandem command_service serve`, `projector run`, ….
# Everything that a process needs besides is settings: deploy/README.md has the table.
ARG BASE_IMAGE=python:3.13-slim-trixie

FROM ${BASE_IMAGE} AS build
WORKDIR /build
# pip of a virtual environment of its own, so that none gets into the one that is shipped.
RUN python3 -m venv pip && python3 -m venv --without-pip /opt/tandem
COPY requirements.txt .
RUN pip/bin/python -m pip --python /opt/tandem/bin/python install \
      --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
      --requirement requirements.txt
COPY shared /app/shared
COPY command_service /app/command_service
COPY projector /app/projector
COPY query_service /app/query_service
# Readable by whatever user it runs as, whatever umask the clone was made with; the root is
# read-only later, so bytecode is made now.
RUN chmod -R a+rX /opt/tandem /app && /opt/tandem/bin/python -m compileall -q /app

FROM ${BASE_IMAGE}
# What official Python images carry for those who build on them.
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
    LOG_FORMAT=json
EXPOSE 8080
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "shared.http.check_health"]
ENTRYPOINT ["python", "-m"]
# Last, since they change with every commit.
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="tandem" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
