"""Training: point-in-time examples, losses and loops. Serving never imports this."""
