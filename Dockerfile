# The lab for a Docker Space and for a server of your own. docs/using-the-lab.md says how to build and run it.
FROM python:3.12-slim

# Which torch: on Linux, pip's default runs on CUDA and on the CPU. For the small CPU build give
# TORCH=torch==2.13.0+cpu, and in PIP_EXTRA_INDEX_URL an index that has it.
ARG TORCH=torch==2.13.0
ARG PIP_EXTRA_INDEX_URL=

RUN useradd --create-home --uid 1000 lab
WORKDIR /home/lab/app

# torch comes first and alone, as in the Makefile: a change of the other packages leaves its layer as it is
RUN python -m pip install --no-cache-dir "$TORCH"
COPY requirements.txt requirements.txt
RUN python -m pip install --no-cache-dir -r requirements.txt

COPY --chown=lab README.md LICENSE NOTICE app.py ./
COPY --chown=lab ptp_core ptp_core
COPY --chown=lab app app
COPY --chown=lab assets assets
COPY --chown=lab docs docs

USER lab
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 PTP_LAB_CACHE=/home/lab/cache
EXPOSE 7860
CMD ["python", "app.py"]
