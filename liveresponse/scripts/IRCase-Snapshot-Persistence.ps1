<#
IRCase-Snapshot-Persistence.ps1: what starts by itself on this device: Run keys, startup folders, WMI subscriptions, services and
scheduled tasks; and its local users with their groups.

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

function New-Autorun($Kind, $Location, $Name, $Command, $Account, $Hash) {
    [ordered]@{
        Kind = $Kind
        Location = (ConvertTo-Plain $Location 1000)
        Name = (ConvertTo-Plain $Name 1000)
        Command = (ConvertTo-Plain $Command)
        AccountName = (ConvertTo-Plain $Account 260)
        SHA256 = $Hash
    }
}

function Resolve-Sid([string]$Sid) {
    try {
        $object = New-Object System.Security.Principal.SecurityIdentifier $Sid
        return $object.Translate([System.Security.Principal.NTAccount]).Value
    } catch { return $Sid }
}

# The values of one key as they are stored: %variables% are not expanded.
function Get-KeyValue($Hive, [string]$Root, [string]$Path, [string]$Account) {
    $key = $Hive.OpenSubKey($Path)
    if ($null -eq $key) { return }
    try {
        foreach ($name in $key.GetValueNames()) {
            $value = $key.GetValue($name, $null, [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
            $shown = $name
            if (-not $shown) { $shown = '(Default)' }
            New-Autorun 'RunKey' "$Root\$Path" $shown ($value -join ' ') $Account $null
        }
    } finally { $key.Close() }
}

$RunPaths = @(
    'Software\Microsoft\Windows\CurrentVersion\Run',
    'Software\Microsoft\Windows\CurrentVersion\RunOnce',
    'Software\Microsoft\Windows\CurrentVersion\Policies\Explorer\Run',
    'Software\WOW6432Node\Microsoft\Windows\CurrentVersion\Run',
    'Software\WOW6432Node\Microsoft\Windows\CurrentVersion\RunOnce'
)

Invoke-Section 'DeviceAutorunSnapshot' 'Run keys of the machine' 5000 {
    foreach ($path in $RunPaths) { Get-KeyValue ([Microsoft.Win32.Registry]::LocalMachine) 'HKLM' $path '' }
}

Invoke-Section 'DeviceAutorunSnapshot' 'Winlogon' 5000 {
    $path = 'Software\Microsoft\Windows NT\CurrentVersion\Winlogon'
    foreach ($row in (Get-KeyValue ([Microsoft.Win32.Registry]::LocalMachine) 'HKLM' $path '')) {
        if (@('Shell', 'Userinit', 'Taskman') -contains $row.Name) { $row.Kind = 'Winlogon'; $row }
    }
}

Invoke-Section 'DeviceAutorunSnapshot' 'Run keys of signed-in users' 5000 {
    foreach ($sid in [Microsoft.Win32.Registry]::Users.GetSubKeyNames()) {
        if ($sid -notmatch '^S-1-5-21-[\d-]+$|^S-1-12-1-[\d-]+$') { continue }
        $account = Resolve-Sid $sid
        foreach ($path in $RunPaths) { Get-KeyValue ([Microsoft.Win32.Registry]::Users) 'HKU' "$sid\$path" $account }
    }
}

Invoke-Section 'DeviceAutorunSnapshot' 'Startup folders' 5000 {
    $folders = @(Join-Path $env:ProgramData 'Microsoft\Windows\Start Menu\Programs\StartUp')
    $homes = Join-Path $env:SystemDrive 'Users'
    foreach ($userHome in (Get-ChildItem -LiteralPath $homes -Directory -Force -ErrorAction SilentlyContinue)) {
        $folders += Join-Path $userHome.FullName 'AppData\Roaming\Microsoft\Windows\Start Menu\Programs\Startup'
    }
    $shell = $null
    try { $shell = New-Object -ComObject WScript.Shell } catch { }
    foreach ($folder in $folders) {
        if (-not (Test-Path -LiteralPath $folder)) { continue }
        foreach ($file in (Get-ChildItem -LiteralPath $folder -File -Force -ErrorAction SilentlyContinue)) {
            if ($file.Name -eq 'desktop.ini') { continue }
            $command = $file.FullName
            if ($shell -and $file.Extension -eq '.lnk') {
                try {
                    $link = $shell.CreateShortcut($file.FullName)
                    $command = ("$($link.TargetPath) $($link.Arguments)").Trim()
                } catch { }
            }
            New-Autorun 'StartupFolder' $folder $file.Name $command '' (Get-Sha256 $file.FullName)
        }
    }
}

Invoke-Section 'DeviceAutorunSnapshot' 'WMI subscriptions' 5000 {
    $space = 'root\subscription'
    foreach ($binding in (Get-CimInstance -Namespace $space -ClassName __FilterToConsumerBinding)) {
        New-Autorun 'WmiBinding' $space "$($binding.Filter.Name)" "$($binding.Consumer.Name)" '' $null
    }
    foreach ($filter in (Get-CimInstance -Namespace $space -ClassName __EventFilter)) {
        New-Autorun 'WmiFilter' $space $filter.Name $filter.Query '' $null
    }
    foreach ($class in @('CommandLineEventConsumer', 'ActiveScriptEventConsumer')) {
        foreach ($consumer in (Get-CimInstance -Namespace $space -ClassName $class)) {
            $command = "$($consumer.ExecutablePath) $($consumer.CommandLineTemplate) $($consumer.ScriptFileName) $($consumer.ScriptText)"
            New-Autorun 'WmiConsumer' "$space\$class" $consumer.Name $command.Trim() '' $null
        }
    }
}

Invoke-Section 'DeviceServiceSnapshot' 'Services' 5000 {
    foreach ($service in (Get-CimInstance -ClassName Win32_Service)) {
        [ordered]@{
            Name = (ConvertTo-Plain $service.Name 260)
            DisplayName = (ConvertTo-Plain $service.DisplayName 500)
            State = "$($service.State)"
            StartMode = "$($service.StartMode)"
            PathName = (ConvertTo-Plain $service.PathName)
            AccountName = (ConvertTo-Plain $service.StartName 260)
            ProcessId = [long]$service.ProcessId
        }
    }
}

Invoke-Section 'DeviceTaskSnapshot' 'Scheduled tasks' 5000 {
    foreach ($task in (Get-ScheduledTask)) {
        $commands = foreach ($action in $task.Actions) {
            if ($action.Execute) { ("$($action.Execute) $($action.Arguments)").Trim() }
            elseif ($action.ClassId) { "COM $($action.ClassId) $($action.Data)".Trim() }
        }
        $triggers = foreach ($trigger in $task.Triggers) {
            $kind = "$($trigger.CimClass.CimClassName)" -replace '^MSFT_Task', ''
            ("$kind $($trigger.StartBoundary) $($trigger.Repetition.Interval)").Trim()
        }
        $ran = $null
        $next = $null
        $result = $null
        try {
            $info = Get-ScheduledTaskInfo -TaskName $task.TaskName -TaskPath $task.TaskPath
            $ran = ConvertTo-Iso $info.LastRunTime
            $next = ConvertTo-Iso $info.NextRunTime
            $result = [long]$info.LastTaskResult
        } catch { }
        $account = $task.Principal.UserId
        if (-not $account) { $account = $task.Principal.GroupId }
        [ordered]@{
            TaskPath = (ConvertTo-Plain $task.TaskPath 500)
            TaskName = (ConvertTo-Plain $task.TaskName 500)
            State = "$($task.State)"
            Enabled = [bool]$task.Settings.Enabled
            Command = (ConvertTo-Plain (@($commands) -join ' | '))
            Triggers = (ConvertTo-Plain (@($triggers) -join ' | ') 1000)
            AccountName = (ConvertTo-Plain $account 260)
            Author = (ConvertTo-Plain $task.Author 260)
            LastRunTime = $ran
            NextRunTime = $next
            LastTaskResult = $result
        }
    }
}

Invoke-Section 'DeviceUserSnapshot' 'Local users and group members' 5000 {
    $groups = @{}
    $outsiders = [ordered]@{}
    foreach ($group in (Get-LocalGroup)) {
        # Get-LocalGroupMember ends with the first member whose account is gone; ADSI does not.
        $members = @()
        try { $members = @(([ADSI]"WinNT://./$($group.Name),group").Invoke('Members')) } catch { }
        foreach ($member in $members) {
            $sid = $null
            try {
                $bytes = $member.GetType().InvokeMember('objectSid', 'GetProperty', $null, $member, $null)
                $sid = (New-Object System.Security.Principal.SecurityIdentifier $bytes, 0).Value
            } catch { continue }
            if (-not $groups.ContainsKey($sid)) { $groups[$sid] = New-Object System.Collections.ArrayList }
            [void]$groups[$sid].Add($group.Name)
            $outsiders[$sid] = $true
        }
    }
    foreach ($user in (Get-LocalUser)) {
        $sid = $user.SID.Value
        $outsiders.Remove($sid)
        [ordered]@{
            AccountName = (ConvertTo-Plain $user.Name 260)
            Sid = $sid
            Kind = 'LocalUser'
            Enabled = [bool]$user.Enabled
            Groups = @($groups[$sid] | Where-Object { $_ })
            FullName = (ConvertTo-Plain $user.FullName 260)
            Description = (ConvertTo-Plain $user.Description 500)
            PasswordLastSet = (ConvertTo-Iso $user.PasswordLastSet)
            LastLogon = (ConvertTo-Iso $user.LastLogon)
        }
    }
    foreach ($sid in $outsiders.Keys) {
        [ordered]@{
            AccountName = (ConvertTo-Plain (Resolve-Sid $sid) 260)
            Sid = $sid
            Kind = 'GroupMember'
            Groups = @($groups[$sid] | Where-Object { $_ })
        }
    }
}

$document = [ordered]@{
    format = 'ircase-snapshot'
    version = 1
    script = 'IRCase-Snapshot-Persistence.ps1'
    device = $DeviceName
    snapshot_time = $SnapshotTime
    tables = $Tables
    errors = @($Errors)
    cut = $Cut
}
Write-Output '-----BEGIN IRCASE JSON-----'
Write-Output (ConvertTo-Json -InputObject $document -Depth 6 -Compress)
Write-Output '-----END IRCASE JSON-----'
