"""What Defender reports about devices themselves: DeviceInfo, DeviceNetworkInfo, DeviceFileCertificateInfo."""

from __future__ import annotations

from simulator.story import images
from simulator.story.recorder import Recorder, fragment
from simulator.story.timeline import DAY, MINUTE
from simulator.story.world import NETBIOS, Device, World


def record_inventory(recorder: Recorder, world: World) -> None:
    """A report a day and device, and one right before the end for the devices that are online."""
    for device in world.devices:
        rng = world.random("inventory", device.host)
        moments = [world.week.now - day * DAY - rng.randrange(40 * MINUTE) for day in range(world.week.days)]
        for moment in moments[2:] if device.offline else moments:
            _device_info(recorder, device, moment)
            _network_info(recorder, device, moment)
        _certificates(recorder, device, moments[-1])


def _device_info(recorder: Recorder, device: Device, moment: int) -> None:
    owner = device.owner
    users = [{"UserName": owner.account, "DomainName": NETBIOS, "Sid": owner.sid}]
    values = {
        "ClientVersion": "10.8760.26100.2000", "PublicIP": device.external_ip, "OSArchitecture": "64-bit",
        "OSPlatform": device.os_platform, "OSVersion": "10.0", "OSVersionInfo": device.os_version,
        "OSBuild": device.os_build, "IsAzureADJoined": device.is_workstation, "AadDeviceId": device.aad_id,
        "JoinType": "Hybrid Azure AD Join", "LoggedOnUsers": users if device.is_workstation else [],
        "OnboardingStatus": "Onboarded", "DeviceCategory": "Endpoint", "SensorHealthState": "Active",
        "DeviceType": "Workstation" if device.is_workstation else "Server", "ExposureLevel": "Medium",
        "IsInternetFacing": device.kind == "jump host",
        "AssetValue": "High" if device.kind != "workstation" else "Normal",
        "IsExcluded": False, "IsTransient": False, "Vendor": "Contorium", "Model": "Desk 40",
    }  # fmt: skip
    recorder.device_row("DeviceInfo", device, moment, fragment(values))


def _network_info(recorder: Recorder, device: Device, moment: int) -> None:
    values = {
        "NetworkAdapterName": "{5D1C9F40-0001-4E7B-9A1D-" + device.mac + "}", "MacAddress": device.mac,
        "NetworkAdapterType": "Ethernet", "NetworkAdapterStatus": "Up", "NetworkAdapterVendor": "Contorium",
        "ConnectedNetworks": [{"Name": "northwharf.example", "IsConnectedToInternet": True, "Category": "Domain"}],
        "DnsAddresses": ["10.42.10.10"], "DefaultGateways": ["10.42.10.1"],
        "IPAddresses": [{"IPAddress": device.ip, "SubnetPrefix": 24, "AddressType": "Private"}],
        "OnboardingStatus": "Onboarded",
    }  # fmt: skip
    recorder.device_row("DeviceNetworkInfo", device, moment, fragment(values))


def _certificates(recorder: Recorder, device: Device, moment: int) -> None:
    for image in images.ORDINARY if not device.is_workstation else images.ORDINARY[:24]:
        microsoft = image.company == "Microsoft Corporation"
        values = {
            "SHA1": image.sha1, "IsSigned": True, "SignatureType": "Catalog" if microsoft else "Embedded",
            "Signer": image.signer, "Issuer": "Microsoft Windows Production PCA 2011" if microsoft else "Harbour CA",
            "IsTrusted": True, "IsRootSignerMicrosoft": microsoft, "SignerHash": image.sha1[::-1],
        }  # fmt: skip
        recorder.device_row("DeviceFileCertificateInfo", device, moment, fragment(values))
    if device in (recorder.world.patient_zero, recorder.world.second_host, recorder.world.file_server):
        for image in images.HOSTILE:
            values = {"SHA1": image.sha1, "IsSigned": False, "SignatureType": "Unknown", "IsTrusted": False}
            recorder.device_row(
                "DeviceFileCertificateInfo", device, recorder.world.week.now - 180 * MINUTE, fragment(values)
            )
