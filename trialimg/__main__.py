"""`python -m trialimg` is the command line."""

from trialimg.cli import main

main()
