# The operator's image. Runs as a user without a name, on a read-only root file system.
#   docker build -t registry.example/pillion:0.1.0 .
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN python3 -m venv /opt/pillion
COPY requirements.txt ./
RUN /opt/pillion/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/pillion/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/pillion /opt/pillion
ENV PATH=/opt/pillion/bin:$PATH PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["pillion"]
CMD ["run"]
