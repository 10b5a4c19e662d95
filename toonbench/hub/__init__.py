"""Publishing to the Hugging Face Hub, and reading back what was published."""
