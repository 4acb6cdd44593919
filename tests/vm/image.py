# SPDX-License-Identifier: Apache-2.0
"""image.py: what a virtual machine is made of: Debian with a kernel, and a disk with it.

Owns the root that mmdebstrap makes once for all, and how a disk is made of it. Never writes to that
root, and mounts nothing but the layer that a disk is made of.
"""

import glob
import os
import shutil
import subprocess
import uuid
import zlib

import netns

# Every real host has ca-certificates; the agent is how the test gets in without the network, Python
# is for the fence agent.
INCLUDED = ("systemd,systemd-sysv,dbus,iproute2,ca-certificates,udev,kmod,linux-image-amd64,"
            "initramfs-tools,qemu-guest-agent,python3")
HOOKS = (
    # Before the kernel comes: its first disk holds what is needed here, and is small.
    '--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d"'
    ' "$1/usr/share/initramfs-tools/modules.d"'
    '; echo MODULES=list >"$1/etc/initramfs-tools/conf.d/vm"'
    r'; printf "virtio_pci\nvirtio_blk\next4\n" >"$1/usr/share/initramfs-tools/modules.d/vm"',
    # The modules are named: nobody has to look for devices before the root is there.
    '--customize-hook=rm "$1"/usr/share/initramfs-tools/*/udev "$1"/usr/share/initramfs-tools/*/*/udev'
    '; chroot "$1" update-initramfs -u',
    '--customize-hook=chroot "$1" systemctl --quiet enable systemd-networkd.service',
    # The journal has to outlive a reset.
    '--customize-hook=mkdir -p "$1/var/log/journal"',
    # What an emulated machine would only be slower by.
    '--customize-hook=chroot "$1" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer'
    " e2scrub_all.timer e2scrub_reap.service fstrim.timer dpkg-db-backup.timer getty@tty1.service"
    " serial-getty@ttyS0.service systemd-binfmt.service modprobe@drm.service modprobe@fuse.service"
    " modprobe@loop.service modprobe@dm_mod.service modprobe@efi_pstore.service modprobe@configfs.service"
    " systemd-logind.service systemd-user-sessions.service dev-mqueue.mount dev-hugepages.mount"
    " sys-kernel-debug.mount sys-kernel-tracing.mount",
    '--customize-hook=rm -f "$1/etc/apt/sources.list" "$1/etc/resolv.conf" "$1/etc/hostname"',
)
# Nobody here has a wireless network, a floppy or a mouse; an emulated processor looks for them in vain.
WITHOUT = ("aesni_intel", "ata_piix", "button", "cfg80211", "evdev", "floppy", "ghash_clmulni_intel",
           "i2c_piix4", "pcspkr", "psmouse", "serio_raw", "sg")
DISK_SIZE = "3G"  # sparse
TOOLS = {"mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "qemu-system-x86_64": "qemu-system-x86"}


def root(folder, suite):
    """The root, made when there is none yet of what is wanted."""
    wanted = zlib.crc32(repr((INCLUDED, HOOKS)).encode())
    place = os.path.join(folder, f"vm-{suite}-{wanted:08x}")
    if not os.path.isdir(place):
        partial = place + ".new"
        shutil.rmtree(partial, ignore_errors=True)
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", f"--include={INCLUDED}", *HOOKS,
                        suite, partial], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=600)
        os.rename(partial, place)
    return place


def boot_files(place):
    """(kernel, first disk) of a root."""
    found = []
    for name in ("vmlinuz", "initrd.img"):
        [path] = glob.glob(os.path.join(place, "boot", name + "-*"))
        found.append(path)
    return tuple(found)


def write(folder, path, text, mode=0o644):
    place = folder + path
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(place, mode)


def own_files(folder, name, address, prefix_length):
    """What makes one machine different from the other."""
    write(folder, "/etc/hostname", name.lower() + "\n")
    write(folder, "/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name.lower()}\n")
    write(folder, "/etc/machine-id", uuid.uuid4().hex + "\n")
    write(folder, "/etc/modprobe.d/vm.conf", "".join(f"install {name} /bin/false\n" for name in WITHOUT))
    write(folder, "/etc/systemd/network/eth0.network",
          f"[Match]\nName=eth0\n[Network]\nAddress={address}/{prefix_length}\n"
          "LinkLocalAddressing=no\nIPv6AcceptRA=no\n")


def inside(place, *words):
    """Runs a command in a root that nobody has booted: no service is started by it."""
    subprocess.run(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe",
                    f"--directory={place}", "env", "DEBIAN_FRONTEND=noninteractive", *words],
                   check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)


class Layers:
    """A root over others, for as long as it is written: what is below stays as it is."""

    def __init__(self, below, work):
        self.upper, self.merged = os.path.join(work, "upper"), os.path.join(work, "merged")
        for folder in (self.upper, self.merged, os.path.join(work, "work")):
            os.makedirs(folder)
        self.options = f"lowerdir={below},upperdir={self.upper},workdir={os.path.join(work, 'work')}"

    def __enter__(self):
        netns.run("mount", "-t", "overlay", "overlay", "-o", self.options, self.merged)
        return self.merged

    def __exit__(self, *unused):
        netns.run("umount", self.merged)


def installed(place, work, extra, packages):
    """What to lay a machine's own files over: the root, with extra {path inside: what is copied there}
    and packages of the source that is among them. Installed here, which is the same packages and
    takes an emulated processor minutes."""
    layers = Layers(place, work)
    with layers as merged:
        for path, source in extra.items():
            if os.path.isdir(source):
                shutil.copytree(source, merged + path)
            else:
                shutil.copy(source, merged + path)
        inside(merged, "/srv/approvald-bundle/setup")
        inside(merged, "apt-get", "-q", "-y", "install", *packages)
    return f"{layers.upper}:{place}"


def disk(below, work, name, address, prefix_length=24):
    """A disk for the machine of that name, in work."""
    made = os.path.join(work, "disk.raw")
    with Layers(below, work) as merged:
        own_files(merged, name, address, prefix_length)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", merged, made, DISK_SIZE], check=True,
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    return made
