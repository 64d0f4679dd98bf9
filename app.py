"""Entry point of the lab, here and on a Hugging Face Space: python app.py"""

from app.main import build_demo, launch_options
from app.serving.models import SHELF

demo = build_demo()

if __name__ == "__main__":
    SHELF.preload()
    demo.launch(**launch_options())
