<#
.SYNOPSIS
    Packs a folder of this device into one zip for IRCase and prints where the zip is.
.DESCRIPTION
    Written for IRCase. Windows PowerShell 5.1, no dependencies. Reads only: files are opened so that others may go on
    writing, links and other reparse points are not followed. The zip holds IRCaseFolderFiles.ndjson, one line per file
    with its size, times and SHA-256, or why it could not be read. It stops at -MaxFiles, at -MaxMegabytes before packing, and after -MaxSeconds.
    The last line is "IRCase zip: <path>". Exit code: 0 all of it, 2 some files could not be read, 3 a cap was reached,
    1 nothing was packed.
.PARAMETER Path
    The folder.
.PARAMETER MaxMegabytes
    The most to pack, in megabytes of the files' own size.
.PARAMETER MaxFiles
    The most files to pack.
.PARAMETER MaxSeconds
    When to stop: Live Response ends a script after ten minutes.
.PARAMETER Recurse
    With the folders below it.
#>
param(
    [Parameter(Mandatory = $true)][string]$Path,
    [ValidateRange(1, 3000)][int]$MaxMegabytes = 500,
    [ValidateRange(1, 50000)][int]$MaxFiles = 5000,
    [ValidateRange(1, 540)][int]$MaxSeconds = 480,
    [switch]$Recurse
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
Add-Type -AssemblyName System.IO.Compression
Add-Type -AssemblyName System.IO.Compression.FileSystem

$invariant = [Globalization.CultureInfo]::InvariantCulture
$clock = [Diagnostics.Stopwatch]::StartNew()
$listed = New-Object Collections.Generic.List[object]
$script:packed = 0
$script:missed = 0
$script:bytes = [long]0
$script:cap = ''

function Get-Stamp([datetime]$Moment) {
    $Moment.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", $invariant)
}

function Test-Cap([long]$Next) {
    if ($script:packed -ge $MaxFiles) { $script:cap = "more than $MaxFiles files" }
    elseif (($script:bytes + $Next) -gt ([long]$MaxMegabytes * 1MB)) { $script:cap = "more than $MaxMegabytes MB" }
    elseif ($clock.Elapsed.TotalSeconds -gt $MaxSeconds) { $script:cap = "more than $MaxSeconds seconds" }
    return ($script:cap -ne '')
}

function Add-File($Archive, [IO.FileInfo]$File, [string]$Name) {
    $sha = [Security.Cryptography.SHA256]::Create()
    $share = [IO.FileShare]::ReadWrite -bor [IO.FileShare]::Delete
    $source = [IO.File]::Open($File.FullName, [IO.FileMode]::Open, [IO.FileAccess]::Read, $share)
    try {
        $entry = $Archive.CreateEntry($Name, [IO.Compression.CompressionLevel]::Fastest)
        if ($File.LastWriteTimeUtc.Year -ge 1980 -and $File.LastWriteTimeUtc.Year -le 2107) {
            $entry.LastWriteTime = [DateTimeOffset]$File.LastWriteTimeUtc
        }
        $target = $entry.Open()
        try {
            $buffer = New-Object byte[] 1048576
            $size = [long]0
            while (($count = $source.Read($buffer, 0, $buffer.Length)) -gt 0) {
                $target.Write($buffer, 0, $count)
                [void]$sha.TransformBlock($buffer, 0, $count, $null, 0)
                $size += $count
            }
            [void]$sha.TransformFinalBlock($buffer, 0, 0)
        } finally { $target.Dispose() }
        $script:bytes += $size
        $script:packed += 1
        $listed.Add([pscustomobject]@{
            Device = $env:COMPUTERNAME; Name = $Name; FullPath = $File.FullName; Size = $size; Error = ''
            Sha256 = ([BitConverter]::ToString($sha.Hash) -replace '-', '').ToLowerInvariant()
            CreationTimeUtc = Get-Stamp $File.CreationTimeUtc
            LastWriteTimeUtc = Get-Stamp $File.LastWriteTimeUtc
            LastAccessTimeUtc = Get-Stamp $File.LastAccessTimeUtc
            Attributes = [string]$File.Attributes
        })
    } finally { $source.Dispose(); $sha.Dispose() }
}

function Add-Failure([string]$Where, [string]$Reason) {
    $script:missed += 1
    if ($script:missed -le 10000) {
        $listed.Add([pscustomobject]@{
            Device = $env:COMPUTERNAME; Name = ''; FullPath = $Where; Size = $null; Error = $Reason; Sha256 = ''
            CreationTimeUtc = $null; LastWriteTimeUtc = $null; LastAccessTimeUtc = $null; Attributes = ''
        })
    }
}

$root = (New-Object IO.DirectoryInfo($Path))
if (-not $root.Exists) {
    Write-Output "There is no folder $Path on this device."
    exit 1
}
$stamp = [datetime]::UtcNow.ToString('yyyyMMddHHmmss', $invariant)
$zip = Join-Path (Get-Location).ProviderPath ("IRCase-Folder-{0}-{1}.zip" -f $env:COMPUTERNAME, $stamp)
$base = $root.FullName.TrimEnd('\').Length + 1
$waiting = New-Object Collections.Generic.Stack[IO.DirectoryInfo]
$waiting.Push($root)
$reparse = [IO.FileAttributes]::ReparsePoint

$stream = [IO.File]::Open($zip, [IO.FileMode]::CreateNew, [IO.FileAccess]::ReadWrite, [IO.FileShare]::None)
$archive = New-Object IO.Compression.ZipArchive($stream, [IO.Compression.ZipArchiveMode]::Create, $false, [Text.Encoding]::UTF8)
try {
    while ($waiting.Count -gt 0 -and $script:cap -eq '') {
        $folder = $waiting.Pop()
        try { $children = @($folder.GetFileSystemInfos()) }
        catch { Add-Failure $folder.FullName $_.Exception.Message; continue }
        foreach ($child in $children) {
            if (($child.Attributes -band $reparse) -eq $reparse) {
                Add-Failure $child.FullName 'A link or placeholder, which is not followed.'
            } elseif ($child -is [IO.DirectoryInfo]) {
                if ($Recurse) { $waiting.Push($child) }
            } elseif ($child.FullName -ne $zip) {
                if (Test-Cap $child.Length) { break }
                try { Add-File $archive $child ($child.FullName.Substring($base) -replace '\\', '/') }
                catch { Add-Failure $child.FullName $_.Exception.Message }
            }
        }
    }
    $entry = $archive.CreateEntry('IRCaseFolderFiles.ndjson')
    $writer = New-Object IO.StreamWriter($entry.Open(), (New-Object Text.UTF8Encoding($false)))
    try { foreach ($row in $listed) { $writer.Write((ConvertTo-Json -InputObject $row -Compress) + "`n") } }
    finally { $writer.Dispose() }
} finally { $archive.Dispose(); $stream.Dispose() }

Write-Output ("Packed {0} files, {1} bytes; not read: {2}." -f $script:packed, $script:bytes, $script:missed)
if ($script:cap -ne '') { Write-Output "Stopped: $($script:cap). Ask for a folder further down, or raise the cap." }
Write-Output "IRCase zip: $zip"
if ($script:cap -ne '') { exit 3 }
if ($script:missed -gt 0) { exit 2 }
exit 0
