"""What a person looks at while a training runs: a live page on loopback, and a line in the terminal."""
