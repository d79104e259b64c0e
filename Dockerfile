# The operator's image, for whoever has a registry to build from. Without one, `tests/cluster/local_images.py`
# makes the same out of Debian and Python packages: same user, same entry point, same pinned requirements.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/pillion
COPY requirements.txt .
# Apart from the source, so that a change to it does not install the dependencies again.
RUN /opt/pillion/bin/pip install --no-cache-dir --no-compile --only-binary=:all: --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/pillion/bin/pip install --no-cache-dir --no-compile --no-deps . \
 && /opt/pillion/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/pillion/lib

FROM python:3.11-slim-bookworm
COPY --from=build /opt/pillion /opt/pillion
ENV PATH=/opt/pillion/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
# By number, because the kubelet checks runAsNonRoot against a number. Nothing has to be writable.
USER 65532:65532
WORKDIR /
ENTRYPOINT ["pillion"]
