"""What happens to images, from intake to link."""
