"""What pages that work without the server share: their frame, and light or dark as the visitor's system says."""

FRAME = """html { background: var(--ptp-paper); }
body { margin: 0 auto; max-width: 1320px; padding: 12px clamp(12px, 3vw, 40px);
  font-family: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
"""
THEME = """const wanted = new URLSearchParams(location.search).get("__theme");
const night = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark", wanted ? wanted === "dark" : night.matches);
night.addEventListener("change", paint);
paint();
"""
