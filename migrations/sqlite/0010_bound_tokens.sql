-- The apps that a token is bound to, their ids parted by commas. Not set: all apps. The scopes of a bound token have names of their own,
-- so that a server of before, which does not look here, gives the token no right.
ALTER TABLE admin_tokens ADD COLUMN apps TEXT CHECK (apps <> '' AND apps NOT GLOB '*[^A-Za-z0-9_,-]*');
