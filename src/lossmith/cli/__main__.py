"""`python -m lossmith.cli`."""

from lossmith.cli import main

if __name__ == "__main__":
    main()
