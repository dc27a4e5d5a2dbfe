import os
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]="1"
from datetime import timedelta
from django.conf import settings as dj
from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django.utils import timezone
from playwright.sync_api import sync_playwright
from ircase.models import *
from ircase.services import *
from ircase.services import cases, holds, retention, destruction, approvals, evidence, storehealth
from ircase.tasks import destruction_decided, destroy
from tests.cast import *
from tests.hunting.stage import quiet_heart
OUT="/tmp/w/store/shots"
os.makedirs(OUT, exist_ok=True)
AXE=os.path.join(str(dj.BASE_DIR),"node_modules/axe-core/axe.min.js")

class Shots(StaticLiveServerTestCase):
    def test_shots(self):
        dj.CASE_QUOTA_BYTES=3000
        alice=make_user("alice", User.SiteRole.ANALYST); dora=make_user("dora", User.SiteRole.ANALYST)
        ada=make_user("ada", User.SiteRole.ADMINISTRATOR)
        case=make_case(alice)
        cases.set_member(case=case, actor=alice, user=dora, role=CaseRole.LEAD)
        items=[make_evidence(case, alice, b"x%d"%n*100, name=f"Security-{n}.evtx") for n in range(5)]
        q=make_case(alice, title="quiet", confidential=True); bad=make_evidence(q, alice, b"bad bytes")
        bad.path.chmod(0o640); bad.path.write_bytes(b"worse byt"); evidence.verify(bad)
        Case.objects.filter(pk=case.pk).update(closed_at=timezone.now()-timedelta(days=400))
        retention.save_policy(policy=RetentionPolicy(name="One year for what is done", days=365, why="Contract of 2024, paragraph 7"), actor=ada)
        retention.save_policy(policy=RetentionPolicy(name="Ten years for true positives", days=3650, classification="truePositive", why="Insurance", enabled=False), actor=ada)
        hold=holds.place(case=case, actor=alice, evidence=items[1], reason="Court order 7 C 123/26 of the district court")
        holds.ask_to_lift(hold=holds.place(case=case, actor=alice, evidence=items[2], reason="Insurance"), actor=alice, reason="Settled")
        row=destruction.request(case=case, actor=alice, exhibits=[items[0]], why="The retention time of the contract is over")
        approvals.decide(approval=destruction.approval_of(row), actor=dora, approve=True, comment="Agreed")
        destruction_decided(str(row.uuid))
        with quiet_heart(): destroy(row.pk)
        row.refresh_from_db()
        assert row.sealed, row.reason
        open(OUT+"/cert.pdf","wb").write(b"".join(evidence.deliver(row.sealed, actor=alice)))
        evidence.put([b"orphan"]); storehealth.survey(StoreSurvey.objects.create())
        c="/cases/"+case.reference
        pages=[("review","/retention/",alice),("keeping",c+"/keeping/",alice),("destruction",f"{c}/keeping/{row.uuid}/",alice),
          ("gone",f"{c}/evidence/{items[0].uuid}/",alice),("held",f"{c}/evidence/{items[1].uuid}/",alice),("evidence",c+"/evidence/",alice),
          ("log",c+"/log/",alice),
          ("storage","/administration/storage/",ada),("policies","/administration/retention/",ada)]
        with sync_playwright() as p:
            b=p.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            for theme,width in (("light",1280),("dark",1280),("light",390)):
                for name,url,who in pages:
                    if theme=="dark" and name not in ("keeping","storage"): continue
                    ctx=b.new_context(viewport={"width":width,"height":900}, color_scheme=theme, bypass_csp=True)
                    self.client.force_login(who)
                    ctx.add_cookies([{"name":"sessionid","value":self.client.cookies["sessionid"].value,"url":self.live_server_url}])
                    page=ctx.new_page(); page.set_default_timeout(120000); page.goto(self.live_server_url+url)
                    page.wait_for_timeout(300)
                    page.screenshot(path=f"{OUT}/{name}-{theme}-{width}.png", full_page=True)
                    wide=page.evaluate("document.documentElement.scrollWidth")
                    page.add_script_tag(path=AXE)
                    v=page.evaluate("axe.run(document,{resultTypes:['violations']}).then(r=>r.violations.map(v=>v.id+': '+v.nodes.slice(0,3).map(n=>n.html.slice(0,120)).join(' | ')))")
                    print(name,theme,width,"scrollWidth",wide,"axe",v, flush=True)
                    ctx.close()
            b.close()
