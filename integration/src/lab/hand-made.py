"""hand-made.py ORDER: sends tunnel packets made with scapy out of an interface. ORDER is JSON, as hand-made.ts writes it."""
import json
import sys

from scapy.all import GRE, ICMP, IP, UDP, Ether, Raw, sendp
from scapy.contrib.mpls import MPLS
from scapy.layers.vxlan import VXLAN

GATEWAY = "00:00:5e:00:01:00"
order = json.loads(sys.argv[1])


def headers(kind, label):
    mpls = MPLS(label=label, s=1, ttl=64)
    if kind == "gre":
        return GRE(proto=0x8847) / mpls
    if kind == "gre-key-checksum":
        return GRE(proto=0x8847, key_present=1, key=7, chksum_present=1) / mpls
    if kind == "gre-other":
        return GRE(proto=0x0800)
    if kind == "udp":
        return UDP(sport=50000, dport=6635) / mpls
    if kind == "udp-old":
        return UDP(sport=50000, dport=51234) / mpls
    if kind == "udp-no-checksum":
        return UDP(sport=50000, dport=6635, chksum=0) / mpls
    if kind == "vxlan":
        return UDP(sport=50000, dport=4789) / VXLAN(flags=8, vni=label) / Ether(src=order["mac"], dst=GATEWAY, type=0x0800)
    if kind == "garbage":
        return UDP(sport=50000, dport=6635) / Raw(b"\xff\xff")
    raise ValueError(kind)


for packet in order["packets"]:
    inner = packet["inner"]
    payload = IP(src=inner["source"], dst=inner["destination"]) / ICMP(type=8, id=packet["id"], seq=1) / Raw(b"hand made")
    outer = Ether(src=order["mac"], dst=order["toMac"]) / IP(src=packet["source"], dst=order["destination"])
    # What is made only when it is sent must not depend on what scapy thinks is inside: the payload goes in as bytes.
    sendp(outer / headers(packet["kind"], packet["label"]) / Raw(bytes(payload)), iface=order["interface"], verbose=False)
