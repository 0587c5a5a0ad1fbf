# The production image: one image, several roles (entrypoint.sh). Its context is the folder that bin/steps/copy-files
# gathers, never the checkout: the classic builder, which the pipelines use, sends a folder as it is.
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BASE_IMAGE} AS build
RUN set -eux; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates gcc libc6-dev libpq-dev python3 python3-dev python3-venv; \
    python3 -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
# Each package must have a hash that the lock file knows. Left out of what is shipped: installers, tests, C sources, the
# symbols of a debugger, what is compiled for other processors, languages the site does not speak, and static files, which
# come collected.
RUN set -eux; \
    /opt/venv/bin/python -m pip install --disable-pip-version-check --no-cache-dir --no-compile --no-input \
        --require-hashes --no-deps -r /tmp/requirements.txt; \
    /opt/venv/bin/python -m pip uninstall --yes --quiet pip setuptools; \
    find /opt/venv -depth -type d \( -name __pycache__ -o -name tests -o -name test \) -exec rm -rf {} +; \
    find /opt/venv -type f \( -name '*.pyi' -o -name '*.c' -o -name '*.h' -o -name '*.pyx' \) -delete; \
    rm -rf /opt/venv/lib/python3*/site-packages/rest_framework/static /opt/venv/lib/python3*/site-packages/django/contrib/*/static; \
    find /opt/venv -path '*/locale/*' -depth -type d -name LC_MESSAGES -not -path '*/en/*' -not -path '*/ru/*' \
        -exec rm -rf {} +; \
    find /opt/venv -path '*/embit/util/prebuilt/*' -not -name "*linux_$(uname -m).so" -type f -delete; \
    find /opt/venv -name '*.so' -exec strip --strip-unneeded {} +; \
    /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib

FROM ${BASE_IMAGE}
# GeoDjango loads GDAL, GEOS and PROJ when it is imported; GDAL alone brings most of this layer. libpq speaks to PostGIS.
RUN set -eux; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates libgdal32 libgeos-c1v5 libpq5 libproj25 python3; \
    apt-get clean; \
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/*.log /var/log/apt \
        /usr/share/doc/* /usr/share/man/* /usr/share/info/* /usr/share/fonts/*; \
    find /usr/share/locale -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +; \
    groupadd --gid 1000 nexchange; \
    useradd --uid 1000 --gid 1000 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin nexchange; \
    install -d -o nexchange -g nexchange -m 0755 /usr/share/nginx/html /var/lib/nexchange; \
    install -d -o nexchange -g nexchange -m 0700 /var/lib/nexchange/journal /var/lib/nexchange/signer /run/keys /run/signer

COPY --from=build /opt/venv /opt/venv
COPY . /app
# Bytecode now (the packages have theirs), because a read-only root could not keep it later; .venv is where the scripts in
# bin/ look for Python. Of the layers above, a release with the same pins sends none again.
RUN set -eux; \
    if [ ! -f /app/staticfiles/staticfiles.json ] || [ -e /app/wercker.yml ]; then \
        echo 'error: this builds from the folder that bin/steps/copy-files gathers: run bin/images app' >&2; \
        exit 1; \
    fi; \
    mv /app/entrypoint.sh /entrypoint.sh; \
    chmod 755 /entrypoint.sh /app/bin/*; \
    rm /app/Dockerfile; \
    ln -s /opt/venv /app/.venv; \
    /opt/venv/bin/python -m compileall -q -j 0 /app

ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    LC_ALL=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=nexchange.settings_prod \
    GUNICORN_PORT=8000 \
    MEDIA_ROOT=/usr/share/nginx/html/media \
    PAYOUT_JOURNAL=/var/lib/nexchange/journal/payouts.journal
WORKDIR /app
USER 1000:1000
EXPOSE 8000
ENTRYPOINT ["/entrypoint.sh"]
CMD ["web"]
# For web. Workers and beat serve no pages: who starts those says how they are asked.
HEALTHCHECK --interval=5s --timeout=10s --start-period=120s --retries=3 CMD ["/entrypoint.sh", "health"]

ARG REVISION=unknown
LABEL org.opencontainers.image.title="nexchange" \
      org.opencontainers.image.description="Instant cryptocurrency exchange: web, worker, beat and release in one image" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
