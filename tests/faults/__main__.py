"""`python -m tests.faults --scenario kill --seed 7 --seconds 30`."""

from tests.faults.run import main

if __name__ == "__main__":
    main()
