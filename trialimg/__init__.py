"""trialimg joins a trial's electronic case report forms to its images."""
