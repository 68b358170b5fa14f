"""What becomes of requests, decided without storage: values in, values out."""
