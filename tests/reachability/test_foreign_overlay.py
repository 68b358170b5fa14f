"""Commands of scripts whose language nobody follows, and of more configuration."""

from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from vexxy.sbom.types import Package
from vexxy.tracer.types import Access

RUBY, PHP, PERL = "/usr/bin/ruby3.1", "/usr/sbin/php-fpm8.2", "/usr/bin/perl"
TCL, ERLANG, JAVA = "/usr/bin/tclsh8.6", "/usr/lib/erlang/bin/beam.smp", "/opt/j/bin/java"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def tool(tree: Planted) -> Package:
    return tree.owner(tree.program("/usr/bin/planttool"), name="planttool")


def verdict(tree: Planted, package: Package) -> tuple[str, str]:
    (found,) = tree.judge(package)
    return found.status.value, found.reason


@pytest.mark.parametrize(
    ("runtime", "path", "text"),
    [
        (RUBY, "/app/app.rb", "C = %w[planttool -x]\nsystem(*C)\n"),
        (RUBY, "/app/app.rb", "system(%q{planttool -x})\n"),
        (RUBY, "/app/app.rb", "system <<~X\n  planttool -x\nX\n"),
        (RUBY, "/app/app.rb", "Kernel.send(:system, 'planttool -x')\n"),
        (RUBY, "/app/Rakefile", "task :x do\n  sh 'planttool -x'\nend\n"),
        (RUBY, "/app/x.thor", "run 'planttool -x'\n"),
        (TCL, "/app/app.tcl", "proc r {} { exec planttool -x }\n"),
        ("/usr/bin/expect", "/app/app.exp", "spawn planttool -x\n"),
        ("/usr/bin/gawk", "/app/a.awk", '/x/ { "planttool -x" | getline y }\n'),
        (PERL, "/app/app.pl", "my $x = $y\n// system('planttool -x');\n"),
        (ERLANG, "/app/app.erl", 'r() -> os:cmd("planttool -x").\n'),
        (ERLANG, "/app/a.exs", 'System.cmd("planttool", ["-x"])\n'),
        (JAVA, "/app/c.clj", '(sh "planttool" "-x")\n'),
        ("/opt/dotnet", "/app/x.csx", 'Process.Start("planttool", "-x");\n'),
    ],
)
def test_every_word_of_an_applications_script_may_be_a_command(
    tree: Planted, runtime: str, path: str, text: str
) -> None:
    package = tool(tree)
    tree.touched(tree.program(runtime), Access.EXECUTED, 0.0)
    tree.touched(tree.write(path, text))
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert f"{path} names the program planttool" in reason


@pytest.mark.parametrize(
    ("runtime", "path", "text"),
    [
        (RUBY, "/app/app.rb", "`#{SETTINGS[:tool]} -x`\n"),
        (RUBY, "/app/app.rb", "%x(#{tool} -x)\n"),
        (RUBY, "/app/app.rb", "system(*params[:x])\n"),
        (RUBY, "/app/app.rb", "IO.popen([settings.tool, '-x'])\n"),
        (RUBY, "/app/Rakefile", 'sh "#{ENV[:T]} -x"\n'),
        (PERL, "/app/a.pl", "open(my $f, '-|', $cfg->{tool}, '-x')\n"),
        (PERL, "/app/a.pl", "my $o = qx{$c -x}\n"),
        (PERL, "/app/a.pl", "exec { $x } @y\n"),
        (PERL, "/app/a.pl", "my $o = `$cfg{tool} -x`\n"),
        (PHP, "/app/a.php", "<?php echo `$x -v`;"),
        (PHP, "/app/a.php", "<?php $b='plant'; exec(\"{$b}tool -x\");"),
        (PHP, "/app/a.php", "<?php $t='plant'; exec($t.'tool -x');"),
        (PHP, "/app/a.php", "<?php proc_open([$this->bin, '-x'], [], $p);"),
        (TCL, "/app/a.tcl", "exec {*}$cmd\n"),
        ("/usr/bin/gawk", "/app/a.awk", "{ system($1) }\n"),
        (ERLANG, "/app/a.erl", "r(C) -> os:cmd(C).\n"),
        (JAVA, "/app/c.clj", "(apply sh args)\n"),
    ],
)
def test_an_applications_script_that_starts_a_value_may_start_any(
    tree: Planted, runtime: str, path: str, text: str
) -> None:
    package = tool(tree)
    tree.touched(tree.program(runtime), Access.EXECUTED, 0.0)
    tree.touched(tree.write(path, text))
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert f"{path} starts what " in reason or f"{path} names programs like" in reason


@pytest.mark.parametrize(
    ("runtime", "path", "text"),
    [
        (RUBY, "/app/app.rb", "# planttool\nC = %w[other -x]\nsystem(*C)\n"),
        (RUBY, "/app/config.ru", "run App\n"),
        (PHP, "/app/a.php", "<?php $db->exec($sql);\n"),
        (PHP, "/app/a.php", "<?php\n// exec('planttool')\n"),
        (PHP, "/app/a.php", '<?php $db->query("SELECT * FROM `$t`");'),
        (PERL, "/app/a.pl", "open(my $f, '<', $name); my $r = $s->exec($q);\n"),
    ],
)
def test_other_words_and_calls_of_scripts_start_nothing(
    tree: Planted, runtime: str, path: str, text: str
) -> None:
    package = tool(tree)
    tree.touched(tree.program(runtime), Access.EXECUTED, 0.0)
    tree.touched(tree.write(path, text))
    assert verdict(tree, package)[0] == "not_affected"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/t/t.conf", '[[inputs.exec]]\n  commands = [\n   "planttool -x"\n ]\n'),
        ("/etc/n/nrpe.cfg", "command[x]=planttool -x\n"),
        ("/etc/postfix/master.cf", "x unix - n n - - pipe\n  flags=R argv=planttool -x\n"),
        ("/etc/mailcap", "application/x; planttool %s; test=true\n"),
        ("/etc/gitconfig", "[alias]\n  z = !planttool -x\n"),
        ("/etc/uwsgi/x.ini", "[uwsgi]\ncron = 59 2 -1 -1 -1 planttool -x\n"),
        ("/etc/apache2/x.conf", 'CustomLog "|planttool -x" c\n'),
        ("/etc/aliases", 'x: "|planttool -x"\n'),
        ("/etc/procmailrc", ":0\n| planttool -x\n"),
        ("/etc/redis/s.conf", "sentinel notification-script m planttool\n"),
        ("/etc/openvpn/s.conf", "client-connect planttool\n"),
        ("/etc/openvpn/s.conf", "up planttool\n"),
        ("/etc/snmp/snmpd.conf", "extend x planttool\npass .1.3 other\n"),
        ("/etc/logrotate.d/x", "/l {\n postrotate\n  planttool -x\n endscript\n}\n"),
        ("/etc/nginx/x.conf", "content_by_lua_block { io.popen('planttool -x') }\n"),
        ("/app/rules.mk", "x:\n\tplanttool -x\n"),
        ("/app/justfile", "x:\n  planttool -x\n"),
        ("/app/build.ninja", "rule x\n  command = planttool -x\n"),
    ],
)
def test_a_command_in_configuration_of_a_known_form(
    tree: Planted, path: str, text: str
) -> None:
    package = tool(tree)
    tree.touched(tree.write(path, text), Access.DATA)
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert f"{path} names the program planttool" in reason


def test_lua_that_a_server_names_is_a_script(tree: Planted) -> None:
    package = tool(tree)
    tree.touched(tree.program("/usr/sbin/nginx"), Access.EXECUTED, 0.0)
    tree.write("/app/app.lua", "function r() return io.popen('planttool -x') end\n")
    configuration = "location / { content_by_lua_file /app/app.lua; }\n"
    tree.touched(tree.write("/etc/nginx/nginx.conf", configuration), Access.DATA)
    assert verdict(tree, package)[0] == "under_investigation"
