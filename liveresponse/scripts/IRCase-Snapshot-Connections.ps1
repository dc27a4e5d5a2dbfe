<#
IRCase-Snapshot-Connections.ps1: which TCP connections and listening ports this device has now, and whose they are.

Part of IRCase. It reads and changes nothing. Its output is one JSON object between two lines that IRCase looks for.
Windows PowerShell 5.1, nothing else needed. Each section fails on its own; its error then stands in the JSON.
#>
[CmdletBinding()]
param()

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$Invariant = [System.Globalization.CultureInfo]::InvariantCulture
try { [Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false } catch { }

$Errors = New-Object System.Collections.ArrayList
$Tables = [ordered]@{}
$Cut = [ordered]@{}

# ISO 8601 in UTC, whatever the culture and the zone of the device.
function ConvertTo-Iso($Value) {
    if ($null -eq $Value) { return $null }
    try {
        $moment = ([datetime]$Value).ToUniversalTime()
        if ($moment.Year -lt 2000) { return $null }
        return $moment.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", $Invariant)
    } catch { return $null }
}

# Texts of sane length, without characters that a transcript may swallow.
function ConvertTo-Plain($Value, [int]$Most = 4000) {
    if ($null -eq $Value) { return $null }
    $text = ([string]$Value) -replace '[\x00-\x1f]', ' '
    if ($text.Length -gt $Most) { $text = $text.Substring(0, $Most) }
    return $text
}

function Invoke-Section([string]$Table, [string]$Name, [int]$Most, [scriptblock]$Body) {
    if (-not $Tables.Contains($Table)) { $Tables[$Table] = New-Object System.Collections.ArrayList }
    try {
        # Row by row: what came before an error is kept.
        & $Body | ForEach-Object {
            if ($Tables[$Table].Count -ge $Most) { $Cut[$Table] = 1 + [int]$Cut[$Table] }
            elseif ($null -ne $_) {
                $_.Insert(0, 'SnapshotTime', $SnapshotTime)
                $_.Insert(1, 'DeviceName', $DeviceName)
                [void]$Tables[$Table].Add($_)
            }
        }
    } catch {
        [void]$Errors.Add([ordered]@{ section = $Name; error = (ConvertTo-Plain $_.Exception.Message 500) })
    }
}

function Get-DeviceName {
    try { return [System.Net.Dns]::GetHostEntry('').HostName } catch { return $env:COMPUTERNAME }
}

$SnapshotTime = ConvertTo-Iso (Get-Date)
$DeviceName = (Get-DeviceName).ToLowerInvariant()

$HashCache = @{}
function Get-Sha256([string]$Path) {
    if (-not $Path) { return $null }
    if ($HashCache.ContainsKey($Path)) { return $HashCache[$Path] }
    $hash = $null
    try {
        # The file may be in use; larger files would take the time that the others need.
        if ((Get-Item -LiteralPath $Path -Force).Length -le 200MB) {
            $hash = (Get-FileHash -LiteralPath $Path -Algorithm SHA256).Hash.ToLowerInvariant()
        }
    } catch { }
    $HashCache[$Path] = $hash
    return $hash
}

$programs = @{}
try {
    foreach ($process in (Get-CimInstance -ClassName Win32_Process -Property ProcessId, Name, ExecutablePath)) {
        $programs[[long]$process.ProcessId] = $process
    }
} catch {
    [void]$Errors.Add([ordered]@{ section = 'Programs of connections'; error = (ConvertTo-Plain $_.Exception.Message 500) })
}

function New-Connection($Protocol, $State, $Entry, $RemoteIP, $RemotePort) {
    $program = $programs[[long]$Entry.OwningProcess]
    $name = $null
    $path = $null
    if ($program) { $name = $program.Name; $path = $program.ExecutablePath }
    [ordered]@{
        Protocol = $Protocol
        State = $State
        LocalIP = (ConvertTo-Plain $Entry.LocalAddress 64)
        LocalPort = [long]$Entry.LocalPort
        RemoteIP = $RemoteIP
        RemotePort = $RemotePort
        ProcessId = [long]$Entry.OwningProcess
        FileName = (ConvertTo-Plain $name 260)
        FolderPath = (ConvertTo-Plain $path)
        CreationTime = (ConvertTo-Iso $Entry.CreationTime)
    }
}

Invoke-Section 'DeviceConnectionSnapshot' 'TCP connections' 10000 {
    foreach ($entry in (Get-NetTCPConnection)) {
        $remote = ConvertTo-Plain $entry.RemoteAddress 64
        $port = [long]$entry.RemotePort
        if ("$($entry.State)" -eq 'Listen') { $remote = $null; $port = $null }
        New-Connection 'Tcp' "$($entry.State)" $entry $remote $port
    }
}

Invoke-Section 'DeviceConnectionSnapshot' 'UDP endpoints' 10000 {
    foreach ($entry in (Get-NetUDPEndpoint)) { New-Connection 'Udp' 'Listen' $entry $null $null }
}

$document = [ordered]@{
    format = 'ircase-snapshot'
    version = 1
    script = 'IRCase-Snapshot-Connections.ps1'
    device = $DeviceName
    snapshot_time = $SnapshotTime
    tables = $Tables
    errors = @($Errors)
    cut = $Cut
}
Write-Output '-----BEGIN IRCASE JSON-----'
Write-Output (ConvertTo-Json -InputObject $document -Depth 6 -Compress)
Write-Output '-----END IRCASE JSON-----'
