getent group fanfare >/dev/null || groupadd --system fanfare
getent passwd fanfare >/dev/null || useradd --system --gid fanfare --home-dir /var/lib/fanfare --no-create-home \
    --shell /sbin/nologin --comment Fanfare fanfare
