if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    # 1 or more: a new version took the place of an old one.
    [ "$1" -eq 0 ] || systemctl try-restart fanfare.service
fi
