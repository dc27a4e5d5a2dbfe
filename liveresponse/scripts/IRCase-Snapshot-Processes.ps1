<#
IRCase-Snapshot-Processes.ps1: what runs on this device now, with paths, hashes, command lines and accounts.

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

Invoke-Section 'DeviceProcessSnapshot' 'Processes' 5000 {
    $owners = @{}
    try {
        foreach ($process in (Get-Process -IncludeUserName)) { $owners[[int]$process.Id] = $process.UserName }
    } catch {
        [void]$Errors.Add([ordered]@{ section = 'Owners of processes'; error = (ConvertTo-Plain $_.Exception.Message 500) })
    }
    foreach ($process in (Get-CimInstance -ClassName Win32_Process)) {
        [ordered]@{
            ProcessId = [long]$process.ProcessId
            ParentProcessId = [long]$process.ParentProcessId
            FileName = (ConvertTo-Plain $process.Name 260)
            FolderPath = (ConvertTo-Plain $process.ExecutablePath)
            ProcessCommandLine = (ConvertTo-Plain $process.CommandLine)
            SHA256 = (Get-Sha256 $process.ExecutablePath)
            AccountName = (ConvertTo-Plain $owners[[int]$process.ProcessId] 260)
            ProcessCreationTime = (ConvertTo-Iso $process.CreationDate)
            SessionId = [long]$process.SessionId
        }
    }
}

$document = [ordered]@{
    format = 'ircase-snapshot'
    version = 1
    script = 'IRCase-Snapshot-Processes.ps1'
    device = $DeviceName
    snapshot_time = $SnapshotTime
    tables = $Tables
    errors = @($Errors)
    cut = $Cut
}
Write-Output '-----BEGIN IRCASE JSON-----'
Write-Output (ConvertTo-Json -InputObject $document -Depth 6 -Compress)
Write-Output '-----END IRCASE JSON-----'
