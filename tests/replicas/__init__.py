"""What a server knows of the others and does about its share. Peers are real servers on loopback."""
