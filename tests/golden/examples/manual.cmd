# The policy that the manual page shows.
sed -n '/^policy: web-server/,/^\.Ed/p' "$XI_TOP/docs/xipsec-policy.5" | grep -v '^\.' >manual.policy
umask 077
echo 192.0.2.0/24 >unwanted.netset
echo a preshared key for tests >database.psk
xipsec check manual.policy && echo fine
