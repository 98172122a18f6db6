"""What fits a training that is recorded into what a team has already: its experiment tracker, its configuration."""
