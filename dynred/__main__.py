"""`python -m dynred` is the command `dynred`."""

from dynred.cli.app import main

if __name__ == "__main__":
    main()
