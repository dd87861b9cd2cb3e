chown root:fanfare /etc/fanfare/fanfare.toml && chmod 640 /etc/fanfare/fanfare.toml
install --directory --owner=fanfare --group=fanfare --mode=750 /var/lib/fanfare
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    # The number of installed versions: 1 at the first install.
    [ "$1" -ne 1 ] || systemctl preset fanfare.service
fi
