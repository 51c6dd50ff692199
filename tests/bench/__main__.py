"""`python -m tests.bench --section reads`."""

from tests.bench.run import main

if __name__ == "__main__":
    main()
