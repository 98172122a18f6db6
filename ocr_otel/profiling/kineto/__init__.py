"""What a Kineto trace shows: a streaming reader of Chrome's trace format, and pure functions on what it read."""
