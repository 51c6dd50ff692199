"""Development tools: checks and measurements of the text of the source tree."""
