-- Empty, but for the moments in which a server looks whether the database stores anything again.
CREATE TABLE write_probe (
    filler text NOT NULL
);
