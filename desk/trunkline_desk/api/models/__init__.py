"""What requests carry and answers hold, as pydantic models: validation and document from one source."""
