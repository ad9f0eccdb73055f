# One image for worker, api and every command: docker run xinmai --help
# The whole lock is installed, tools included: what runs is what was tested.

FROM python:3.11-slim-bookworm AS build
RUN python -m venv /opt/xinmai
WORKDIR /source
COPY requirements.lock ./
RUN /opt/xinmai/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY risk risk
COPY connectors connectors
COPY streams streams
RUN /opt/xinmai/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /app --create-home xinmai && mkdir /app/snapshots && chown xinmai /app/snapshots
COPY --from=build /opt/xinmai /opt/xinmai
COPY config /app/config
ENV PATH=/opt/xinmai/bin:$PATH PYTHONUNBUFFERED=1 XINMAI_CONFIG=/app/config XINMAI_SNAPSHOTS=/app/snapshots
WORKDIR /app
USER xinmai
ENTRYPOINT ["xinmai"]
CMD ["--help"]
