"""What a picture shows, and how it is masked."""
