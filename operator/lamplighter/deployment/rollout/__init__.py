"""How a revision takes over: advance, retire, deadlines, and what people ask for. Pure."""
