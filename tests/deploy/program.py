"""What the program itself says there is: settings, arguments, kinds of jobs, paths."""

import os
import re
import subprocess
import tomllib

import yaml

#: What a process may take beyond its grace time to end: the last answers of broker and database.
LAST_ANSWERS = 20

#: How `--healthcheck` ends where nothing runs, or something else does: then it has taken arguments and settings.
TAKEN = ("nothing answers at", "not ready:", "the answer cannot be read")


class Program:
    def __init__(self, path=None):
        self.path = path or os.environ["DARKROOM"]
        self.defaults = {}
        for section, keys in tomllib.loads(self.printed("--print-settings")).items():
            for key, value in keys.items():
                self.defaults[f"DARKROOM_{section.upper()}__{key.upper()}"] = value
        usage = self.printed("--help")
        self.options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", usage, re.MULTILINE))
        self.kinds = re.search(r"\[default: ([\w ,]+)\]", usage)[1].replace(",", " ").split()
        self.paths = set(yaml.safe_load(self.printed("--openapi"))["paths"])

    def printed(self, argument):
        return subprocess.run([self.path, argument], check=True, capture_output=True, text=True, env={}).stdout

    def knows(self, variable):
        """Whether a variable is a setting, or names the file of one."""
        return variable == "HF_API_KEY" or variable.removesuffix("_FILE") in self.defaults

    def refusal(self, arguments, environment):
        """Why it would not start with these, or None. It is only asked for its health, so nothing is started."""
        roles = [word for word in arguments if word not in ("--migrate", "--healthcheck")]
        run = subprocess.run(
            [self.path, *roles, "--healthcheck"], capture_output=True, text=True, env=environment, timeout=30
        )
        taken = run.returncode == 0 or any(outcome in run.stderr for outcome in TAKEN)
        return None if taken else run.stderr.strip()

    def unknown_options(self, arguments):
        return [word for word in arguments if word.startswith("-") and word.split("=")[0] not in self.options]

    def setting(self, environment, variable):
        """A setting as a process with this environment has it."""
        default = self.defaults[variable]
        return type(default)(environment.get(variable, default))

    def queues(self, arguments, environment):
        """What a process with these consumes."""
        if "--worker" not in arguments:
            return set()
        kinds = arguments[arguments.index("--queues") + 1].split(",") if "--queues" in arguments else self.kinds
        prefix = self.setting(environment, "DARKROOM_AMQP__PREFIX")
        return {f"{prefix}.{kind}" for kind in kinds}

    def port(self, arguments, environment):
        """Where a process with these can be asked, or None."""
        variable = "DARKROOM_WORKER__LISTEN" if "--worker" in arguments else "DARKROOM_HTTP__LISTEN"
        listen = self.setting(environment, variable)
        return int(listen.rpartition(":")[2]) if listen else None

    def least_grace(self, arguments, environment):
        """The least time that a process with these must be given to end, in seconds."""
        part = "WORKER" if "--worker" in arguments else "HTTP"
        return float(self.setting(environment, f"DARKROOM_{part}__GRACE_SECONDS")) + LAST_ANSWERS

    def process_complaints(self, name, arguments, environment, grace):
        """What is wrong with a process, whoever starts it."""
        found = [f"{name}: {variable} is no setting" for variable in environment if not self.knows(variable)]
        found += [f"{name}: {option} is no option" for option in self.unknown_options(arguments)]
        if found:
            return found
        if refusal := self.refusal(arguments, environment):
            return [f"{name}: the program refuses: {refusal}"]
        least = self.least_grace(arguments, environment)
        if grace <= least:
            found.append(f"{name}: is given {grace} s to end, and may take {least:.0f}")
        if "--worker" in arguments:
            kept = float(self.setting(environment, "DARKROOM_WORKER__GRACE_SECONDS"))
            image = 2 * float(self.setting(environment, "DARKROOM_WORKER__IMAGE_SECONDS"))
            caption = float(self.setting(environment, "DARKROOM_WORKER__CAPTION_SECONDS"))
            if kept <= max(image, caption):
                found.append(f"{name}: a job may take longer than worker.grace_seconds")
        return found
