"""`python -m benchmarks --section reads`."""

from benchmarks.run import main

if __name__ == "__main__":
    main()
