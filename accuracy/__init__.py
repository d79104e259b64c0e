"""How near do estimates come to what engines printed when they started?"""
