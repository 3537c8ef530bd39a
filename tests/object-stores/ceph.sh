#!/bin/bash
# The long race on Ceph: ceph.sh DIR [publish-race options]
#
# Starts a cluster of one monitor, one manager and three OSDs in memory with an S3 gateway on 127.0.0.1:7480, makes a bucket, runs
# publish-race on it with two servers, and kills one OSD in the middle. Needs root, Debian's ceph-mon ceph-osd ceph-mgr radosgw
# (installed when they are missing), curl and openssl, and `cargo build --workspace --bins` before. Ends the cluster when it is done.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
D=$(realpath -m "${1:?usage: ceph.sh DIR [publish-race options]}"); shift
[ -e "$D" ] && { echo "$D is there already"; exit 1; }
mkdir -p "$D"/{run,log,mon.a,mgr.x,osd.0,osd.1,osd.2,rgw}; cd "$D"

end() {
  local file
  for file in "$D"/run/*.pid; do [ -e "$file" ] && kill "$(cat "$file")" 2>/dev/null || true; done
}
trap end EXIT

if ! command -v radosgw >/dev/null; then
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends ceph-mon ceph-osd ceph-mgr radosgw curl >/dev/null
fi

fsid=$(cat /proc/sys/kernel/random/uuid)
cat > ceph.conf <<CONF
[global]
fsid = $fsid
mon_initial_members = a
mon_host = v1:127.0.0.1:6799
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
ms_bind_msgr2 = false
run_dir = $D/run
admin_socket = $D/run/\$cluster-\$name.asok
log_file = $D/log/\$name.log
pid_file = $D/run/\$name.pid
keyring = $D/keyring
osd_pool_default_size = 3
osd_pool_default_min_size = 2
osd_pool_default_pg_num = 8
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = 1073741824
mon_data = $D/mon.\$id
osd_data = $D/osd.\$id
mgr_data = $D/mgr.\$id
rgw_data = $D/rgw
mon_allow_pool_size_one = true
mon_warn_on_insecure_global_id_reclaim = false
mon_warn_on_insecure_global_id_reclaim_allowed = false
mon_max_pg_per_osd = 500
osd_class_load_list = *
osd_class_default_list = *
[client.rgw.a]
rgw_frontends = beast endpoint=127.0.0.1:7480
rgw_dns_name = localhost
CONF
export CEPH_CONF=$D/ceph.conf
ceph-authtool --create-keyring keyring --gen-key -n mon. --cap mon 'allow *' >/dev/null
ceph-authtool keyring --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' --cap mds 'allow *'
ceph-authtool keyring --gen-key -n client.rgw.a --cap mon 'allow rwx' --cap osd 'allow rwx'
monmaptool --create --addv a '[v1:127.0.0.1:6799]' --fsid "$fsid" monmap >/dev/null
ceph-mon --mkfs -i a --monmap monmap --keyring keyring
ceph-mon -i a
ceph auth import -i keyring 2>/dev/null
ceph auth get-or-create mgr.x mon 'allow profile mgr' osd 'allow *' mds 'allow *' > mgr.x/keyring
ceph-mgr -i x --keyring mgr.x/keyring
for i in 0 1 2; do
  u=$(cat /proc/sys/kernel/random/uuid)
  ceph osd new "$u" >/dev/null
  ceph auth get-or-create osd.$i mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *' > osd.$i/keyring
  ceph-osd -i $i --mkfs --osd-uuid "$u" --keyring osd.$i/keyring 2>/dev/null
  ceph-osd -i $i --keyring osd.$i/keyring >/dev/null
done
radosgw -n client.rgw.a --keyring keyring
for _ in $(seq 120); do curl -s -o /dev/null http://127.0.0.1:7480 && break; sleep 1; done
radosgw-admin user create --uid=t --display-name=t --access-key=AK --secret-key=SK >/dev/null

export AWS_ENDPOINT_URL=http://127.0.0.1:7480 AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=AK AWS_SECRET_ACCESS_KEY=SK
date=$(date -uR | sed 's/+0000/GMT/')
signature=$(printf 'PUT\n\n\n%s\n/packages' "$date" | openssl dgst -sha1 -hmac SK -binary | base64)
curl -sf -X PUT -H "Date: $date" -H "Authorization: AWS AK:$signature" http://127.0.0.1:7480/packages

# One node goes in the middle of the race. Its disk is memory, so it does not come back.
(sleep "${KILL_AFTER:-15}"; kill -9 "$(cat "$D/run/osd.1.pid")"; echo "killed osd.1 after ${KILL_AFTER:-15} s") &
killer=$!
"${CARGO_TARGET_DIR:-$here/target}/debug/publish-race" --store s3://packages --servers "${SERVERS:-2}" --directory "$D/race" "$@"
kill "$killer" 2>/dev/null && echo 'the race was over before a node was killed: give it more rounds'
ceph health || true
