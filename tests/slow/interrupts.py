"""Type Ctrl-C at random times into an R session on a pseudo-terminal; print what became of each fit.

interrupts.py R count seed
"""
import os
import pty
import random
import re
import select
import sys
import time

SETUP = """
options(cli.progress_show_after = 0); suppressMessages(library(nlmers))
model <- nlme_model(
  fixed(Asym = 170, xmid = 700, scal = 350, om = positive(20), s = positive(8)), random(e ~ normal(0, om) | Tree),
  circumference ~ normal((Asym + e) / (1 + exp(-(age - xmid) / scal)), s)
)
long <- saem(exploration = 1e8, log_lik = FALSE)
cat("REA", "DY\\n", sep = "")
"""
FIT = 'fit <- NULL; cat("GO", "ING\\n", sep = ""); fit <- fit_nlme(model, Orange, long, seed = 1, progress = TRUE)\n'
TELL = 'cat("RES", "ULT:", if (is.null(fit)) "lost" else fit$status$code, ":END\\n", sep = "")\n'


class Session:
    def __init__(self, program):
        self.text = ""
        child, self.terminal = pty.fork()
        if child == 0:
            os.execvp(program, [program, "--no-save", "--no-restore", "--quiet", "--no-readline"])

    def type(self, text):
        os.write(self.terminal, text.encode())

    def wait(self, pattern, seconds=30.0):
        """The match, or None; what was read before it is forgotten."""
        end = time.time() + seconds
        while time.time() < end:
            found = re.search(pattern, self.text)
            if found:
                self.text = self.text[found.end():]
                return found
            if select.select([self.terminal], [], [], 0.02)[0]:
                try:
                    self.text += os.read(self.terminal, 65536).decode("utf-8", "replace")
                except OSError:
                    return None
        return None


def main(program, count, seed):
    random.seed(seed)
    session = Session(program)
    session.type(SETUP)
    if not session.wait(r"READY\r?\n", 120):
        sys.exit("R did not start:\n" + session.text)
    for _ in range(count):
        session.type(FIT)
        session.wait(r"GOING\r?\n")
        # The bar appears with the first report; before it R still reads the model, and there is no fit to lose.
        session.wait(r"exploration")
        session.wait("$^", random.uniform(0.0, 0.5))
        session.type("\x03")
        session.wait("$^", 0.05)
        session.type(TELL)
        found = session.wait(r"RESULT:(\w+):END")
        print(found.group(1) if found else "no answer", flush=True)
        if not found:
            break
    session.type('q("no")\n')


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
