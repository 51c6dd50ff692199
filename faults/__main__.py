"""`python -m faults --scenario kill --seed 7 --seconds 30`."""

from faults.run import main

if __name__ == "__main__":
    main()
