-- purge.lua: the log of bans.
return ''
