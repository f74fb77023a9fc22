"""`python -m trialimg` is the command line."""

from trialimg.start import main

main()
