"""Sound: speech, its recognition, voices told apart, and the containers of audio."""
