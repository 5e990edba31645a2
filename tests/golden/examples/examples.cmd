# Every example that is installed is a policy without warnings.
cp "$XI_TOP"/dist/examples/*.yaml .
umask 077
echo 192.0.2.0/24 >unwanted.netset
echo a preshared key for tests >database.psk
for policy in *.yaml; do
	xipsec check "$policy" && echo "$policy is fine"
done
