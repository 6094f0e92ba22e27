"""Canaries: bytes that must never be seen on the black wire.

canary.py serve FOLDER A4 A6   receive on TCP and UDP 7007 and UDP 53, IPv4 and IPv6; one file a canary in FOLDER
canary.py send A4 A6           send one of each kind; TCP must connect, the others go out unheard
canary.py list                 the canaries, one a line
"""
import os
import select
import socket
import sys

KINDS = ["tcp", "udp", "dns", "icmp", "tcp6", "udp6", "icmp6"]
PORT, DNS = 7007, 53


def canary(kind):
    # 15 bytes: ping fills its payload with at most 16 bytes of pattern
    return f"CANARY-{kind}-".ljust(14, "#").encode() + b"."


def question(name):
    label = bytes([len(name)]) + name
    return bytes.fromhex("123401000001000000000000") + label + b"\x04test\x00\x00\x01\x00\x01"


def serve(folder, v4, v6):
    listening = []
    for family, address in ((socket.AF_INET, v4), (socket.AF_INET6, v6)):
        for kind, port in ((socket.SOCK_STREAM, PORT), (socket.SOCK_DGRAM, PORT), (socket.SOCK_DGRAM, DNS)):
            s = socket.socket(family, kind)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, port))
            if kind == socket.SOCK_STREAM:
                s.listen()
            listening.append(s)
    print("ready", flush=True)
    while True:
        for s in select.select(listening, [], [])[0]:
            if s.type == socket.SOCK_STREAM:
                connection, _ = s.accept()
                with connection:
                    connection.settimeout(5)
                    data = connection.recv(4096)
            else:
                data = s.recv(4096)
            for kind in KINDS:
                if canary(kind) in data:
                    open(os.path.join(folder, kind), "wb").write(data)


def send(v4, v6):
    heard = True
    for family, address, six in ((socket.AF_INET, v4, ""), (socket.AF_INET6, v6, "6")):
        try:
            with socket.create_connection((address, PORT), timeout=3) as s:
                s.sendall(canary("tcp" + six) * 20)
        except OSError as error:
            print(f"tcp to {address}: {error}")
            heard = False
        for port, payload in ((PORT, canary("udp" + six) * 20), (DNS, question(canary("dns")))):
            with socket.socket(family, socket.SOCK_DGRAM) as s:
                try:
                    s.sendto(payload, (address, port))
                except OSError as error:
                    print(f"udp to {address}: {error}")
                    heard = False
        pattern = canary("icmp" + six).hex()
        os.system(f"ping -n -c 2 -i 0.2 -W 1 -s 200 -p {pattern} {address} >/dev/null 2>&1")
    return 0 if heard else 1


if sys.argv[1] == "serve":
    serve(*sys.argv[2:5])
elif sys.argv[1] == "send":
    sys.exit(send(*sys.argv[2:4]))
else:
    print("\n".join(canary(kind).decode() for kind in KINDS))
