"""Entry point of the lab, here and on a Hugging Face Space: python app.py"""

from app.main import build_demo, launch_options, watch_threads
from app.serving.models import ModelShelf

shelf = ModelShelf()
demo = build_demo(shelf)

if __name__ == "__main__":
    watch_threads()
    shelf.preload()
    demo.launch(**launch_options())
